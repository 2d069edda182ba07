/* Bodies: the decoder against lua-cjson. Where both take a text they give the same value; where one alone takes it, one of
 * the reasons that follow is there. Anything else ends the fuzzer.
 *
 * The decoder alone takes: an unpaired surrogate (as U+FFFD). lua-cjson alone takes (TRAPS of lua-cjson 2.1.0): invalid
 * UTF-8, control characters in strings, bytes behind a NUL, `1.`, `-.5` and numbers beyond a double. Values differ in numbers that
 * lua-cjson rounds (whole ones above 2^53), and in null fields, which it keeps. It reads numbers with strtod, in this
 * program's locale "C".
 */
#include <stdint.h>

#include "lua.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* called by libFuzzer */

static const char setup[] =
    "local core, cjson = require 'calira.core', require 'cjson'.new()\n"
    "cjson.decode_invalid_numbers(false)\n"
    "cjson.decode_max_depth(100)\n"
    "local function same(ours, theirs, field)\n"
    "  if type(ours) == 'table' then\n"
    "    if type(theirs) ~= 'table' then return false end\n"
    "    for k, v in pairs(ours) do if not same(v, theirs[k], type(k) == 'string') then return false end end\n"
    "    for k, v in pairs(theirs) do\n"
    "      if ours[k] == nil and not (v == core.null and type(k) == 'string') then return false end\n"
    "    end\n"
    "    return true\n"
    "  elseif math.type(ours) == 'float' then\n"
    "    assert(ours == ours and math.abs(ours) < math.huge, 'no number')\n"
    "    assert(ours % 1 ~= 0 or math.abs(ours) >= 2^63, 'a whole float')\n"
    "  elseif math.type(ours) == 'integer' then\n"
    "    return type(theirs) == 'number' and ours + 0.0 == theirs\n"
    "  elseif ours == core.null then assert(not field, 'a null field')\n"
    "  elseif type(ours) == 'string' then assert(utf8.len(ours), 'invalid UTF-8') end\n"
    "  return ours == theirs\n"
    "end\n"
    "local function lone_surrogate(text) return text:find '\\\\u[dD][89a-fA-F]' end\n"
    "local function only_theirs(text, wrong)\n"
    "  local digit = wrong:find '^a digit was expected' and ((text .. ' '):find '%.%D' or text:find '%-%.')\n"
    "  return digit or wrong:find '^invalid UTF%-8' and not utf8.len(text)\n"
    "    or wrong:find '^a control character' and text:find '%c' or wrong:find '^a NUL' and text:find '\\0'\n"
    "    or wrong:find '^a number beyond' and text:find '%d'\n"
    "end\n"
    "return function(text)\n"
    "  local ours, wrong = core.decode(text)\n"
    "  local ok, theirs = pcall(cjson.decode, text)\n"
    "  if wrong then\n"
    "    assert(type(wrong) == 'string' and ours == nil)\n"
    "    assert(not ok or only_theirs(text, wrong), 'lua-cjson takes it: ' .. wrong)\n"
    "  elseif not ok then\n"
    "    assert(lone_surrogate(text), 'lua-cjson refuses it: ' .. tostring(theirs))\n"
    "  else\n"
    "    assert(same(ours, theirs), 'another value')\n"
    "  end\n"
    "end";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_call(fuzz_state(setup), data, size);
}
