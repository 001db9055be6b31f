"""Floating-point operations of one forward pass of all-MiniLM-L6-v2, counted over real tokens only.

A multiply-add is two operations. Padding is not work: a rival that pads does more arithmetic than is counted here, and
its share of the machine's ceiling falls accordingly. Look-ups, norms, softmax and pooling are left out (below 1 %).
"""

LAYERS = 6
HIDDEN = 384
INTERMEDIATE = 1536

PER_TOKEN = 2 * LAYERS * (4 * HIDDEN * HIDDEN + 2 * HIDDEN * INTERMEDIATE)
"""Linear layers: query, key, value, output, and the two of the feed-forward block (21.23 million)."""
PER_TOKEN_PAIR = 2 * LAYERS * 2 * HIDDEN
"""Attention: scores and weighted sum, for each pair of tokens of a text (9,216)."""


def flop(tokens: int) -> int:
    """Operations for one text of this many tokens (special tokens included, after truncation)."""
    return tokens * PER_TOKEN + tokens * tokens * PER_TOKEN_PAIR
