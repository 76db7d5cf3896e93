"""Groups of members, described by a tree of conditions over traits. docs/segments.md.

traits: what can be asked of a member, registered by every app. tree: a definition, read and checked. compile: the
tree as one SQL query. words: the tree as a sentence. asking: how many, who, and why.
"""
