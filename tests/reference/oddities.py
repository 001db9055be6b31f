"""Texts that tokenizers and encoders trip over, in groups: emoji, code, white space, accents, control characters, …

Invisible and directional characters are written as escapes, so that what is tested can be seen (and so that
no editor changes it). Accented texts are spelt once and put in NFC and NFD by program for the same reason.
"""

from __future__ import annotations

import unicodedata

WORDS: tuple[str, ...] = (
    "hello", "a", "Zürich", "unbelievably", "antidisestablishmentarianism", "q", "naïve", "COVID-19",
    "北京", "ありがとう", "사랑", "привет", "שלום", "سلام", "नमस्ते", "สวัสดี",
)  # fmt: skip

EMOJI: tuple[str, ...] = (
    "\U0001f600",
    "\U0001f44d\U0001f3fd",  # thumbs up, medium skin
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",  # family of four, joined by ZWJ
    "\U0001f3f3\ufe0f\u200d\U0001f308",  # rainbow flag: white flag, variation selector, ZWJ, rainbow
    "\U0001f1e9\U0001f1ea \U0001f1ef\U0001f1f5 \U0001f1e7\U0001f1f7",  # flags of regional indicators
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # flag of Scotland, in tag characters
    "1\ufe0f\u20e3 2\ufe0f\u20e3 #\ufe0f\u20e3",  # keycaps
    "\u2764\ufe0f and \u2764",  # heart, with and without variation selector
    "I love pizza \U0001f355\U0001f355\U0001f355 and sushi \U0001f363!",
    "Shipped it \U0001f680\U0001f389 — back to work \U0001f605",
    "\U0001f469\U0001f3ff\u200d\U0001f4bb wrote the fix, \U0001f9d1\U0001f3fb\u200d\U0001f52c checked it",
    "no\U0001f6abspaces\U0001f6abbetween\U0001f6abwords",
    "\U0001f602" * 40,
    "\U0001f31e \U0001f327\ufe0f \u26c8\ufe0f \u2744\ufe0f \U0001f32a\ufe0f",
    "Bonjour \U0001f44b, ça va\u202f? \U0001f60a",
    "今日は暑い\U0001f975ですね",
    "\U0001f92f\U0001faa9\U0001fae0\U0001fae8\U0001faef",  # emoji of 2017 to 2025: some fonts and tables lack them
    "\u00a9 \u00ae \u2122 \u2605 \u2606 \u2713 \u2717 \u263a",
    "(\u256f\u00b0\u25a1\u00b0)\u256f\ufe35 \u253b\u2501\u253b",
    ":-) :-( ;-) <3 xD ^_^ ¯\\_(ツ)_/¯",
    "\u200d\U0001f525\u200d",  # an emoji between stray joiners
    "\U0001f1e6",  # half a flag
    "\U0001f3fb",  # a skin tone on its own
    "Rating: \u2b50\u2b50\u2b50\u2b50\u2606 (4/5)",
)

CODE: tuple[str, ...] = (
    "def add(a: int, b: int) -> int:\n    return a + b\n",
    "for (let i = 0; i < rows.length; i++) { console.log(`${i}: ${rows[i]}`); }",
    "SELECT name, COUNT(*) FROM orders WHERE paid = 1 GROUP BY name HAVING COUNT(*) > 3;",
    '{"model": "minilm", "input": ["a", "b"], "encoding_format": null}',
    "fn main() -> Result<(), Box<dyn Error>> {\n\tlet v: Vec<u8> = vec![0; 16];\n\tOk(())\n}",
    "<div class='note'><p>Fish &amp; chips</p><!-- todo --></div>",
    "grep -rn --include='*.py' 'TODO' . | sort | uniq -c | head -n 20",
    '#include <stdio.h>\nint main(void) { printf("%d\\n", 1 << 4); return 0; }',
    "^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*)@example\\.org$",
    "https://example.org/search?q=vector+search&lang=de#results",
    "C:\\Temp\\new folder\\report (final).txt",
    "TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'",
    "git commit -m 'fix: off-by-one in pagination (#1042)'",
    "\\frac{\\partial L}{\\partial w} = \\sum_{i=1}^{n} (y_i - \\hat{y}_i) x_i",
    "apiVersion: v1\nkind: Service\nspec:\n  ports:\n    - port: 8000\n",
    "camelCaseName snake_case_name kebab-case-name SCREAMING_SNAKE_CASE PascalCaseName",
    "0xDEADBEEF 0b101010 1e-12 .5f 077 NaN -Infinity",
    "SGVsbG8sIHdvcmxkISBUaGlzIGlzIGJhc2U2NC4=",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "550e8400-e29b-41d4-a716-446655440000",
)

NUMBERS: tuple[str, ...] = (
    "0",
    "42",
    "3.14159265358979323846264338327950288419716939937510",
    "1,000,000.00",
    "1.000.000,00",
    "-273.15 °C",
    "2026-02-28T23:59:59.999Z",
    "+49 (0)30 901820-0",
    "½ + ¼ = ¾, x² + y³, H₂O, ① ② ③, Ⅷ",
    "٠١٢٣٤٥٦٧٨٩ ०१२३४५६७८९ ๐๑๒๓๔ 〇一二三 ０１２３",
    "12:30 13:45 00:00 24:00",
    "$9.99 €19,95 £5 ¥1200 ₹350 ₩10000 ₿0.5",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
    "99.999999 % of 10^9 requests",
    "5' 11\" is 180.34 cm",
    " ".join(str(number * number) for number in range(60)),
)

PUNCTUATION: tuple[str, ...] = (
    ".",
    "?!",
    "...",
    "— – - ‐ ‑ − ―",
    "“curly” ‘single’ „low“ «guillemets» ‹one› 「corner」『double』",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "Wait… what?! No—really; it's (almost) done: 50/50.",
    "。、，；：？！（）【】《》",
    "؟ ، ؛ ۔ । ॥ ፡ ።",
    "∀x ∈ ℝ: ⌈x⌉ = −⌊−x⌋ ∧ ∑∞ ≠ ∅ → ∎",
    "-" * 80,
    "a.b,c;d:e!f?g(h)i[j]k{l}m",
)

WHITESPACE: tuple[str, ...] = (
    " ",
    "\t",
    "\n",
    " \t\r\n ",
    "\u00a0",
    "   leading spaces",
    "trailing spaces   ",
    "\n\nblank lines around\n\n",
    "tabs\tbetween\tevery\tword",
    "many      spaces      inside",
    "Windows\r\nline\r\nends",
    "old\rMac\rline\rends",
    "no\u00a0break\u00a0spaces and 10\u202f000\u202fkm",
    "em\u2003quad\u2001thin\u2009hair\u200aspaces",
    "ideographic\u3000space 全角\u3000空白",
    "vertical\x0btab and form\x0cfeed",
    "line\u2028separator and paragraph\u2029separator",
    "next\u0085line and ogham\u1680mark",
    "zero\u200bwidth\u200bspace, joiner\u2060word, \ufeffbyte order mark",
    "- one\n- two\n\t- two and a half\n\n1. three\n2. four\n",
)

_ACCENTED: tuple[str, ...] = (
    "Crème brûlée à l'Élysée, naïveté, garçon",
    "Žluťoučký kůň příšerně úpěl ďábelské ódy",
    "Tiếng Việt có nhiều dấu thanh: ằ ẵ ệ ỗ ự",
    "Ångström, Ørsted, Łukasiewicz, Đorđe, İstanbul",
    "ένα δύο τρία — ΐ ΰ Ά Ώ",
    "й ё ї ў — объём, йод",
    "한국어 음절과 자모",
    "が ぎ ぐ パ ピ プ ヴ",
)
# Each spelt twice: composed (NFC), then decomposed (NFD), where an accent is a character of its own.
ACCENTS: tuple[str, ...] = tuple(unicodedata.normalize(form, text) for text in _ACCENTED for form in ("NFC", "NFD"))

CASE: tuple[str, ...] = (
    "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG",
    "tHe qUiCk bRoWn fOx jUmPs oVeR tHe lAzY dOg",
    "iPhone, eBay, McDonald, NaCl, pH, LaTeX, kWh",
    "straße STRASSE Straße STRAẞE",
    "ısı İSİ Isı iSi",
    "ΟΔΥΣΣΕΥΣ Οδυσσεύς οδυσσευς",
    "ПрИвЕт, МИР",
    "Ǆ ǅ ǆ ﬁ ﬂ ﬀ ĳ",
    "ＦＵＬＬ ｗｉｄｔｈ Ｌａｔｉｎ",
    "𝐁𝐨𝐥𝐝 𝘪𝘵𝘢𝘭𝘪𝘤 𝒮𝒸𝓇𝒾𝓅𝓉 𝔉𝔯𝔞𝔨𝔱𝔲𝔯 ⓒⓘⓡⓒⓛⓔ",
)

# WordPiece gives up on a word of more than 100 characters, counted after normalising: it becomes one [UNK].
LONG_WORDS: tuple[str, ...] = (
    "x" * 99,
    "x" * 100,
    "x" * 101,
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "super" * 30,
    "before " + "ab" * 60 + " after",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "é" * 100,
    unicodedata.normalize("NFD", "é" * 60),  # 120 code points, of which 60 are left without accents
    "https://example.org/" + "path/" * 30 + "?" + "key=value&" * 10,
)

CONTROL: tuple[str, ...] = (
    "\x00",
    "null\x00in the middle",
    "\x07\x08\x1b bell, backspace, escape",
    "\x1b[31mred\x1b[0m terminal colours",
    "delete\x7fcharacter",
    "C1\x80\x9fcontrols",
    "soft\u00adhy\u00adphen",
    "zero\u200cwidth\u200cnon\u200cjoiner",
    "\u200eleft\u200f to right and back\u200e",
    "\u202eoverridden to the left\u202c and normal",
    "\u2066isolated\u2069 text, \u2067other way\u2069",
    "\ufefftext after a byte order mark",
    "\ufffd replaced \ufffd\ufffd",
    "private\ue000use\uf8ffarea \U000f0000",
    "not\ufffecharacters\uffff here\U0001ffff",
    "interlinear\ufff9anno\ufffatation\ufffb",
    "object\ufffcreplacement",
    "language\U000e0001tag\U000e0065\U000e006e",
    "a\u034fb\u0300\u0301\u0302\u0303\u0304\u0305 stacked\u0336 marks",
    "unassigned \u0378 and \U000e0fff code points",
)

# The tokenizer reads these as its own special tokens, wherever they stand and as they are spelt here.
SPECIAL: tuple[str, ...] = (
    "[SEP]",
    "[CLS] sentence [SEP] another [SEP]",
    "fill in the [MASK] please",
    "[PAD] [PAD] [PAD] padding in the text",
    "[UNK][unk][Sep]",
    "<s> </s> <|endoftext|> ##ing ## #",
)

MIXED: tuple[str, ...] = (
    "The word 猫 (neko) means cat, кошка, γάτα, قطة and חתול.",
    "Größe: L, цвет: синий, 価格: ¥3,980, envío gratis \U0001f69a",
    "Meeting mit dem équipe um 15h、会議室3で。",
    "English ثم العربية ثم עברית then English again",
    "K-pop 팬들이 love 방탄소년단 \U0001f49c #BTS @seoul",
    "मेरा email है asha@example.org और phone +91-22-5550-0100",
    "SELECT * FROM 用户 WHERE 名字 = 'Łukasz';  -- комментарий",
    "α-helix, β-sheet, 5µm, 37°C, ≥ 99 % purity, n = 12 (p < 0.05)",
)
