/* Cursors: any text is refused as an argument error, or is a cursor of this list. */
#include <stdint.h>

#include "lua.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* called by libFuzzer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lua_State *L =
        fuzz_state("local calira = require 'calira'\n"
                   "local cursors = require 'calira.lists.cursors'\n"
                   "local call = { path = '/bookings', query = {} }\n"
                   "local _, cursor = cursors.open(call, {})\n"
                   "local mark = cursor(1, nil):match '^calira1%.(%x+)%.'\n"
                   "local function try(text)\n"
                   "  local ok, resumed, write = pcall(cursors.open, call, { resume = text })\n"
                   "  if not ok then assert(calira.is_error(resumed) and resumed.kind == 'argument') return end\n"
                   "  assert(math.type(resumed.page) == 'integer' and resumed.page >= 1)\n"
                   "  assert(pcall(cursors.open, call, { resume = write(nil, nil) }))\n"
                   "end\n"
                   "return function(text) try(text) try('calira1.' .. mark .. '.' .. text) end");
    return fuzz_call(L, data, size);
}
