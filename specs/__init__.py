"""The specs that come with netc; `netc specs` lists them."""
