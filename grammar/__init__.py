"""The grammar of the .net language (`net.lark`)."""
