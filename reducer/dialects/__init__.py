"""One module or package a dialect, and what they share.

`contract` says what a dialect is, `registry` which ones there are. Shared by dialects: `rules` (merge rules as tables),
`generic` (the rule for undeclared keys), `text` and `entries` (what grows), `errors`, `completion` (what Chat and
legacy completions have in common) and `views`. `unspoken` names wires that no dialect reads; `overloads` is for type
checkers. No dialect imports another.
"""
