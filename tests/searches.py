"""One table of searches in many scripts, for whatever searches: text, query, and what of the text is the hit."""

FOUND = [
    # Japanese
    ("今日は東京の天気を教えて", "東京", "東京"),
    ("今日は東京の天気を教えて", "の", "の"),
    ("ﾊﾟｿｺﾝが壊れた", "パソコン", "ﾊﾟｿｺﾝ"),
    ("パソコンが壊れた", "ﾊﾟｿｺﾝが", "パソコンが"),
    ("か\u3099くせい", "が", "か\u3099"),
    ("\uff21\uff22の歌", "ab", "\uff21\uff22"),
    ("5 ㎅ の写真", "kb", "㎅"),
    # Arabic
    ("أين تقع مدينة القاهرة؟", "القاهرة", "القاهرة"),
    ("أين تقع مدينة القاهرة؟", "ين", "ين"),
    ("مُحَمَّد قال", "محمد", "مُحَمَّد"),
    ("محمد قال", "مُحَمَّد", "محمد"),
    ("جمـــيل جدا", "جميل", "جمـــيل"),
    ("\ufefb يوجد", "لا يوجد", "\ufefb يوجد"),  # a ligature
    # Thai
    ("วันนี้อากาศร้อนมาก", "อากาศ", "อากาศ"),
    ("วันนี้อากาศร้อนมาก", "ร้", "ร้"),
    ("ขอน้ำหน่อย", "น้ำ", "น้ำ"),
    ("ขอน้\u0e4d\u0e32หน่อย", "น้ำ", "น้\u0e4d\u0e32"),
    # German
    ("Die Straße ist gesperrt", "STRASSE", "Straße"),
    ("DIE STRASSE IST GESPERRT", "straße", "STRASSE"),
    ("Die Straße ist gesperrt", "Stras", "Straß"),
    ("Über den Wolken", "über", "Über"),
    ("U\u0308ber den Wolken", "über", "U\u0308ber"),
    ("Über den Wolken", "u\u0308ber", "Über"),
    ("Schöne Grüße", "ö", "ö"),
    # others, and what all share
    ("Привет, Мир", "мир", "Мир"),
    ("ΟΔΟΣ", "οδος", "ΟΔΟΣ"),
    ("한국어를 배워요", "국어", "국어"),
    ("Thumbs up 👍🏽 for that", "👍", "👍"),
    ("I ❤️ tea", "❤", "❤️"),
    ("I ❤ tea", "❤️", "❤"),
    ("two\n  lines", "two lines", "two\n  lines"),
    ("it cost 100% more", "0%", "0%"),
    ("snake_case", "e_c", "e_c"),
    ('she said "no"', '"no"', '"no"'),
    ("a OR b NOT c*", "or b not c*", "OR b NOT c*"),
    ("it's c:\\temp", "'s c:\\t", "'s c:\\t"),
    ("x", "X", "x"),
]

NOT_FOUND = [
    ("schon gut", "schön"),
    ("かくせい", "が"),
    ("it cost 100 more", "0%"),
    ("snakeXcase", "e_c"),
    ("she said no", '"no"'),
    ("a\\b", "a%b"),
    ("ab", "b a"),
]
