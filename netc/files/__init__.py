"""Regular files of bounded size, read; files written whole or not at all."""
