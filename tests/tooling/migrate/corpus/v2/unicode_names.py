# -*- coding: utf-8 -*-
"""Dokumente für Märkte: 주문, ордера, 🚀."""

from mysingle.core.base import BaseDocument


class Größe(BaseDocument):
    bezeichnung: str = "für 株式"  # «внутри»
