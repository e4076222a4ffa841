from .ccm import Ccm as Ccm
