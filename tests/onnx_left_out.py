"""Node test cases of the ONNX project that netc does not compute though it has their node, and nodes it has not."""

# By reason: what netc has no attribute or op for, and, at the end, what the rule of an op refuses.
LEFT_OUT = {
    "GRU resets after the product, as torch and cuDNN do": "gru_seq_length gru_reverse gru_bidirectional",
    "a size of 0": """
        reduce_l1_empty_set reduce_l2_empty_set reduce_log_sum_empty_set reduce_log_sum_exp_empty_set
        reduce_max_empty_set reduce_max_empty_set_bool reduce_min_empty_set reduce_prod_empty_set
        reduce_sum_empty_set reduce_sum_empty_set_non_reduced_axis_zero reduce_sum_square_empty_set
        reshape_allowzero_reordered split_zero_size_splits_opset13 split_zero_size_splits_opset18 triu_zero
        tril_zero
    """,
    "a slope for each element": "prelu_example",
    "classes are counted from 0": "onehot_negative_indices onehot_out_of_range_indices",
    "in part: the mask": "dropout_default_mask dropout_default_mask_ratio training_dropout_zero_ratio_mask",
    "in training, a mask that ONNX draws": """
        training_dropout_default training_dropout_default_mask training_dropout training_dropout_mask
    """,
    "in training, a running variance that is biased": """
        batchnorm_example_training_mode batchnorm_epsilon_training_mode
    """,
    "no align_corners with floor in interpolate": "resize_upsample_sizes_nearest_floor_align_corners",
    "no antialias in interpolate": """
        resize_downsample_scales_linear_antialias resize_downsample_sizes_linear_antialias
        resize_downsample_scales_cubic_antialias resize_downsample_sizes_cubic_antialias
    """,
    "no asymmetric in interpolate": "resize_upsample_scales_cubic_asymmetric",
    "no asymmetric with round_prefer_ceil in interpolate": """
        resize_upsample_sizes_nearest_round_prefer_ceil_asymmetric
    """,
    "no change of scores before their softmax but a mask": """
        attention_4d_softcap attention_4d_gqa_softcap attention_4d_diff_heads_sizes_softcap
        attention_4d_with_qk_matmul_softcap attention_3d_softcap attention_3d_gqa_softcap
        attention_3d_diff_heads_sizes_softcap attention_3d_with_past_and_present_qk_matmul_softcap
        attention_4d_softcap_neginf_mask attention_4d_softcap_neginf_mask_poison
        attention_local_window_gqa_rank4_mask flexattention_score_mod flexattention_prob_mod
        flexattention_causal_mask flexattention_soft_cap flexattention_relative_positional
    """,
    "no dilation of mean pools": """
        averagepool_2d_dilations averagepool_3d_dilations_small
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_False
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_False
    """,
    "no dilation of pools of norms": "lppool_2d_dilations",
    "no exclude_outside in interpolate": """
        resize_upsample_scales_cubic_A_n0p5_exclude_outside
        resize_downsample_scales_cubic_A_n0p5_exclude_outside
    """,
    "no fold into maps of 3 axes": "col2im_5d",
    "no half_pixel with ceil in interpolate": "resize_upsample_sizes_nearest_ceil_half_pixel",
    "no half_pixel with round_prefer_floor in interpolate": """
        resize_downsample_scales_nearest resize_upsample_sizes_nearest resize_downsample_sizes_nearest
        resize_upsample_sizes_nearest_axes_2_3 resize_upsample_sizes_nearest_axes_3_2
        resize_upsample_sizes_nearest_not_larger resize_downsample_sizes_nearest_not_larger
        resize_downsample_sizes_nearest_not_smaller
    """,
    "no half_pixel_symmetric in interpolate": """
        resize_downsample_scales_linear_half_pixel_symmetric
        resize_upsample_scales_linear_half_pixel_symmetric
    """,
    "no loss for each position": """
        nllloss_NC nllloss_NCd1d2 nllloss_NCd1d2_with_weight nllloss_NCd1d2d3d4d5_none_no_weight
        nllloss_NCd1d2d3_none_no_weight_negative_ii sce_none sce_none_log_prob sce_none_weights
        sce_none_weights_log_prob sce_NCd1d2d3d4d5_none_no_weight sce_NCd1d2d3d4d5_none_no_weight_log_prob
        sce_NCd1d2d3_none_no_weight_negative_ii sce_NCd1d2d3_none_no_weight_negative_ii_log_prob
    """,
    "no peepholes in LSTM": "lstm_with_peepholes",
    "no pytorch_half_pixel in interpolate": "resize_downsample_sizes_linear_pytorch_half_pixel",
    "no remainder with the sign of the dividend": """
        mod_mixed_sign_float64 mod_mixed_sign_float32 mod_int64_fmod
    """,
    "no scatter but by addition, not max": "scatter_elements_with_reduction_max",
    "no scatter but by addition, not min": "scatter_elements_with_reduction_min",
    "no scatter but by addition, not mul": "scatter_elements_with_reduction_mul",
    "no scatter but by addition, not none": """
        scatter_elements_without_axis scatter_elements_with_axis scatter_elements_with_negative_indices
    """,
    "no tf_crop_and_resize in interpolate": """
        resize_tf_crop_and_resize resize_tf_crop_and_resize_extrapolation_value
        resize_tf_crop_and_resize_axes_2_3 resize_tf_crop_and_resize_axes_3_2
    """,
    "not tensors": "identity_sequence identity_opt",
    "div refuses a": "div_int32_trunc",
    "einsum refuses equation": "einsum_scalar",
    "interpolate refuses scale_factor": """
        resize_downsample_scales_linear resize_downsample_scales_linear_align_corners
        resize_downsample_scales_cubic resize_downsample_scales_cubic_align_corners
    """,
    "pow refuses a": """
        pow_types_int64_float32 pow_types_int32_float32 pow_types_int64_int64 pow_types_int32_int32
    """,
    "pow refuses b": "pow_types_float32_int64 pow_types_float32_int32",
    "slice refuses items": "slice_start_out_of_bounds slice_neg_steps",
}

# Nodes that netc has no op for.
NO_OP = {
    "no such function": "Acos Acosh Asin Asinh Atan Atanh Cosh Det Shrink Sinh Tan IsInf IsNaN CumProd",
    "written in the language or with other ops": """
        CausalConvWithState Hardmax LinearAttention RotaryEmbedding
    """,
    "the size of its result depends on the data": "Compress NonMaxSuppression NonZero Unique",
    "positions in several axes at once, or that overwrite": """
        GatherND ReverseSequence Scatter ScatterND TensorScatter
    """,
    "constants, and sizes as data, which netc knows before it runs": """
        CenterCropPad Constant ConstantOfShape EyeLike Range Shape Size
    """,
    "sampling at positions that the data say": "AffineGrid DeformConv GridSample RoiAlign",
    "signals": "BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT",
    "bits": "BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor",
    "whole numbers that stand for others": """
        ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul
        QuantizeLinear
    """,
    "steps of training, and chance": "Adagrad Adam Bernoulli Momentum",
    "control flow, sequences and optional values": """
        If Loop OptionalGetElement OptionalHasElement Scan SequenceInsert SequenceMap SplitToSequence
    """,
    "text, pictures, and models that are not nets": """
        ArrayFeatureExtractor Binarizer ImageDecoder LabelEncoder RegexFullMatch StringConcat
        StringNormalizer StringSplit TfIdfVectorizer TreeEnsemble
    """,
}
