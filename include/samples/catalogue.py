"""The shop the samples come from: what it sells, where it delivers. Prices are whole, as in the course's documents, so totals are exact."""

from __future__ import annotations

# (ItemCode, ItemDescription, ItemPrice)
ITEMS: tuple[tuple[str, str, int], ...] = (
    ("203", "Bunk bed", 1686), ("208", "Canopy bed", 508), ("218", "Sofa bed", 895), ("223", "Hammock", 1210), ("233", "Coffee table", 1055),
    ("238", "Dining table", 1582), ("243", "Folding table", 738), ("248", "TV tray table", 1947), ("258", "Closet", 1687),
    ("268", "Floating shelf", 1894), ("283", "Portable Lamps", 2236), ("288", "Hutch", 1812), ("293", "Bar stool", 1148), ("303", "Bench", 2251),
    ("328", "Dining chair", 1223), ("353", "Recliner", 1585), ("363", "Rocking chair", 2021), ("368", "Stool", 888), ("378", "Air Bed", 2263),
    ("388", "Memory Foam", 1884), ("413", "Slipcover", 1896), ("423", "Quilt", 1485), ("428", "Cocktail glass", 1422), ("453", "Shot glass", 674),
    ("458", "Wine glass", 1644), ("463", "Cookie jars", 793), ("468", "Lunch box", 1467), ("478", "Teapot", 885),
    ("483", "Teacups and saucers", 1781),
    ("488", "Bread knife", 1077), ("498", "Carving knifes", 1424), ("503", "Chef's knife", 1973), ("518", "Hourglass", 1598),
    ("523", "Oil-lamp clock", 1371), ("533", "Rolling ball clock", 1651), ("558", "Balloon clock", 1633), ("573", "Eyelet Curtains", 642),
    ("583", "Tab Top Curtains", 1329), ("588", "Sheer Curtains", 801), ("633", "Cafe Curtains", 796), ("638", "Baster", 1214),
    ("648", "Bottle opener", 321), ("653", "Browning tray", 375), ("658", "Chinois", 567), ("663", "Corkscrew", 983), ("678", "Fillet knife", 350),
    ("683", "Grater", 370), ("688", "Ladle", 570), ("693", "Mandoline", 250), ("698", "Meat grinder", 1250),
)  # fmt: skip

# (City, State)
CITIES: tuple[tuple[str, str], ...] = (
    ("Adoni", "Andhra Pradesh"), ("Agra", "Uttar Pradesh"), ("Alandur", "Tamil Nadu"), ("Arrah", "Bihar"), ("Bellary", "Karnataka"),
    ("Bokaro Steel City", "Jharkhand"), ("Champdani", "West Bengal"), ("Chennai", "Tamil Nadu"), ("Dehradun", "Uttarakhand"), ("Dehri", "Bihar"),
    ("Delhi", "Delhi"), ("Faridabad", "Haryana"), ("Guna", "Madhya Pradesh"), ("Hyderabad", "Andhra Pradesh"), ("Imphal", "Manipur"),
    ("Jaipur", "Rajasthan"), ("Jammu", "Jammu and Kashmir"), ("Junagadh", "Gujarat"), ("Kolkata", "West Bengal"), ("Madurai", "Tamil Nadu"),
    ("Nagaon", "Assam"), ("Nagpur", "Maharastra"), ("Palakkad", "Kerala"), ("Pune", "Maharastra"), ("Puri", "Odisha"),
    ("Ratlam", "Madhya Pradesh"), ("Shivapuri", "Madhya Pradesh"), ("Sitapur", "Uttar Pradesh"),
)  # fmt: skip

STREETS = (
    "Dui. Rd.",
    "Laoreet, Street",
    "Eu, Rd.",
    "Nulla St.",
    "Magna. Rd.",
    "Neque Street",
    "At Street",
    "Mauris, Av.",
    "Rutrum Av.",
    "Pretium Street",
)
STORES = (
    "STR1534",
    "STR1955",
    "STR2629",
    "STR4347",
    "STR5494",
    "STR5864",
    "STR6162",
    "STR6347",
    "STR7188",
    "STR7443",
    "STR8513",
    "STR8542",
    "STR9614",
)
