/* Bodies: decoded and put right, or refused with words; never a NUL, an infinity or a float that is a whole number. */
#include <stdint.h>

#include "lua.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* called by libFuzzer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lua_State *L =
        fuzz_state("local core = require 'calira.core'\n"
                   "local function check(v, field)\n"
                   "  if type(v) == 'table' then for k, e in pairs(v) do check(e, type(k) == 'string') end\n"
                   "  elseif math.type(v) == 'float' then\n"
                   "    assert(v == v and v ~= math.huge and v ~= -math.huge)\n"
                   "    assert(v % 1 ~= 0 or math.abs(v) >= 2^53, 'a whole float')\n"
                   "  elseif type(v) == 'userdata' then assert(v == core.null and not field, 'a null field')\n"
                   "  elseif type(v) == 'string' then assert(utf8.len(v), 'invalid UTF-8') end\n"
                   "end\n"
                   "return function(text)\n"
                   "  local value, wrong = core.decode(text)\n"
                   "  if value == nil then assert(type(wrong) == 'string') else check(value) end\n"
                   "end");
    return fuzz_call(L, data, size);
}
