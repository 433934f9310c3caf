"""The layers around a call, one file each."""
