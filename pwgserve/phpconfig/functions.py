"""Functions of PHP by what they may do to their caller. Pure tables.

A function that is in none of them may change what it is given by a variable.
"""

from __future__ import annotations

from collections.abc import Mapping

ENDS = frozenset((b"exit", b"die"))
CHANGES_ANYTHING = frozenset(
    (
        *("eval", "extract", "parse_str", "mb_parse_str", "assert", "create_function", "import_request_variables"),
        *("call_user_func", "call_user_func_array", "chdir"),
    )
)
"""These reach the variables of their caller, or run what they are given; `chdir` changes what is included."""

_LISTED = """
    isset empty defined define constant function_exists class_exists extension_loaded
    count sizeof in_array array_search array_key_exists array_keys array_values array_merge array_merge_recursive
    array_replace array_flip array_unique array_diff array_diff_key array_intersect array_intersect_key array_combine
    array_fill array_fill_keys array_slice array_reverse array_sum array_pad array_key_first array_key_last array_chunk
    array_column range min max compact
    implode join explode str_replace str_ireplace substr_replace substr strlen strpos stripos strrpos strstr stristr
    strrchr strcmp strcasecmp strncmp strncasecmp strtolower strtoupper ucfirst lcfirst ucwords trim ltrim rtrim chop
    str_pad str_repeat str_split str_contains str_starts_with str_ends_with strtr strrev sprintf vsprintf number_format
    nl2br wordwrap addslashes stripslashes htmlspecialchars htmlentities html_entity_decode strip_tags substr_count
    preg_match preg_replace preg_split preg_quote mb_strlen mb_substr mb_strpos mb_strtolower mb_strtoupper
    mb_internal_encoding mb_convert_encoding iconv utf8_encode utf8_decode
    intval floatval doubleval strval boolval is_array is_bool is_int is_integer is_float is_numeric is_string is_null
    is_object is_scalar gettype round floor ceil abs intdiv pow rand mt_rand random_int
    dirname basename realpath pathinfo is_dir is_file is_link file_exists is_readable is_writable is_writeable
    file_get_contents file filemtime filesize fileperms glob scandir sys_get_temp_dir getcwd parse_ini_file tempnam
    date gmdate time mktime gmmktime strtotime microtime hrtime checkdate date_default_timezone_set
    date_default_timezone_get
    getenv putenv gethostname php_uname php_sapi_name phpversion version_compare get_current_user getmypid
    memory_get_usage uniqid md5 sha1 hash hash_hmac crc32 base64_encode base64_decode bin2hex hex2bin urlencode
    urldecode rawurlencode rawurldecode http_build_query parse_url json_encode json_decode serialize unserialize
    ip2long long2ip filter_var ctype_alpha ctype_digit ctype_alnum
    ini_set ini_get set_time_limit ignore_user_abort error_reporting error_log setlocale header headers_sent
    print_r var_dump var_export
"""
_VALUES = frozenset(_LISTED.split())
"""These take nothing but values, and call nothing that they are given."""

_FIRST: Mapping[str, int] = {"str_replace": 3, "str_ireplace": 3, "preg_match": 2, "preg_replace": 4}
"""How many of their arguments are values, where a later one is not."""


def takes_values(function: str, place: int) -> bool:
    """Whether what is given to a function in a place (0 for the first) stays as it is, as does all else."""
    return function in _VALUES and place < _FIRST.get(function, place + 1)
