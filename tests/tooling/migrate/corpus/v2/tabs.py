from mysingle.core.base import BaseDocument

if True:
	class Item(BaseDocument):
		name: str = "x"
	from mysingle.core.logging import get_logger
	get_logger("tabs")
