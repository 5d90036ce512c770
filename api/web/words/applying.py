"""Sections for some products, versions or platforms."""

WORDS = {
    "only_for": ("For {value}", "适用于{value}"),
    "only_version": ("version {value}", "版本{value}"),
    "applying": ("Show what applies to", "只看适用于"),
    "applying_platform": ("Platform", "平台"),
    "applying_product": ("Product", "产品"),
    "applying_version": ("Version", "版本"),
    "applying_all": ("All", "全部"),
    "applying_show": ("Show", "显示"),
}
