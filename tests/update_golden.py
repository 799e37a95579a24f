"""Writes the emitted sources that tests compare to the byte: `python -m tests.update_golden`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from emitted import RIGHT, ROOT, net_of  # after the path is set

from netc.backends.to_torch import to_torch

GOLDEN = ROOT / "tests" / "golden"
EXAMPLES = ROOT / "examples"
TELLING = {
    "char": ["CharLSTM", "CharTransformer"],
    "densenet": ["DenseNet121"],
    "digits": ["DigitsMLP", "DigitsCNN"],
    "googlenet": ["GoogLeNet"],
    "lenet": ["LeNet5"],
    "mobilenet_v2": ["MobileNetV2"],
    "resnet": ["ResNet18", "ResNet50"],
    "resnet_cifar": ["ResNetNarrow"],
    "siamese": ["Siamese"],
    "unet": ["UNet"],
    "vae": ["VAE"],
    "vit": ["ViTB16"],
}
ODD = ("02", "06", "08", "09", "11", "13", "14", "15", "16", "17", "19", "22", "23", "24", "27", "30")
SHOWN = ("resnet50", "unet")


def golden() -> dict[Path, str]:
    """What each golden file holds; those shown to readers are the examples."""
    nets = [net_of(ROOT / "specs" / f"{file}.net", name) for file, names in TELLING.items() for name in names]
    nets += [net_of(path) for path in RIGHT if path.name[:2] in ODD]
    texts = {net.name.lower(): to_torch(net) for net in nets}
    return {(EXAMPLES if name in SHOWN else GOLDEN) / f"{name}.py": text for name, text in texts.items()}


def main() -> None:
    wanted = golden()
    for stale in {*GOLDEN.glob("*.py"), *EXAMPLES.glob("*.py")} - set(wanted):
        stale.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
