"""The tokenizer of XLM-RoBERTa, which multilingual E5 uses, rebuilt from its vocabulary with scores.

A unigram model (Kudo 2018, arXiv:1804.10959) behind SentencePiece's `nmt_nfkc` normalisation. That normalisation is
NFKC with rules of its own for control characters, invisible spaces and the full-width tilde; here they are written out,
and NFKC itself is the library's. It differs from the original for 73 characters that Unicode has defined since.
"""

from collections.abc import Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

SPECIAL = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 250_001}

_DROPPED = r"[\x{01}-\x{08}\x{0B}\x{0E}-\x{1F}\x{7F}\x{8F}\x{9F}]"
_SPACES = r"[\x{09}\x{0A}\x{0C}\x{0D}\x{1680}\x{200B}-\x{200F}\x{2028}\x{2029}\x{2581}\x{FEFF}\x{FFFD}]"
_TILDE, _KEPT_TILDE = "～", "\ufdd0"
"""The full-width tilde stays as it is: behind a noncharacter, which no text holds, NFKC does not see it."""


def tokenizer(vocabulary: Sequence[tuple[str, float]]) -> Tokenizer:
    """Return a tokenizer for `vocabulary`: (piece, log probability) by token id, special tokens at their own ids."""
    made = Tokenizer(Unigram(list(vocabulary), SPECIAL["<unk>"], byte_fallback=False))
    made.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_DROPPED), ""),
            normalizers.Replace(Regex(_SPACES), " "),
            normalizers.Replace(_TILDE, _KEPT_TILDE),
            normalizers.NFKC(),
            normalizers.Replace(_KEPT_TILDE, _TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    made.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", SPECIAL["<s>"]), ("</s>", SPECIAL["</s>"])],
    )
    made.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    return made
