"""A small model service: which iris is it?"""
