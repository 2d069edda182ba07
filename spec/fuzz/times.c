/* API times: a number, or nil and a message; written again, the same instant. */
#include <stdint.h>

#include "lua.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* called by libFuzzer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lua_State *L = fuzz_state("local time = require('calira').time\n"
                              "return function(text)\n"
                              "  local epoch, wrong = time(text)\n"
                              "  if not epoch then assert(type(wrong) == 'string') return end\n"
                              "  assert(math.type(epoch) == 'integer' or epoch % 1 ~= 0)\n"
                              "  local whole = math.floor(epoch)\n"
                              "  if whole < 0 or whole > 253402300799 then return end\n"
                              "  assert(time(os.date('!%Y-%m-%dT%H:%M:%SZ', whole)) == whole)\n"
                              "end");
    return fuzz_call(L, data, size);
}
