#!/usr/bin/env python
"""A script."""
from   mysingle.base   import  ( BaseDocument ,
      BaseTimeDocument  , )   # odd, and kept odd

class  Item ( BaseDocument ) :
    name : str   =   "x"

class Timed(BaseTimeDocument) : pass
