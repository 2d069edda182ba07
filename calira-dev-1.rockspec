rockspec_format = "3.0"
package = "calira"
version = "dev-1"
source = { url = "git+https://github.com/calira/calira.git" }
description = {
  summary = "A client of the Calira API for laboratory equipment and bookings",
  detailed = "Lazy lists over every page, many calls in flight at once, and a verdict on whether a list was complete; on libcurl.",
  license = "MIT",
}
dependencies = { "lua >= 5.4", "lua-cjson", "argparse" }
build = {
  type = "cmake",
  variables = {
    CMAKE_BUILD_TYPE = "RelWithDebInfo",
    CMAKE_INSTALL_PREFIX = "$(PREFIX)",
    CALIRA_INSTALL_HOST = "OFF", -- C hosts want CMake's install, or a distribution's package
    CALIRA_LUADIR = "$(LUADIR)",
    CALIRA_LIBDIR = "$(LIBDIR)",
    CALIRA_BINDIR = "$(BINDIR)",
    CALIRA_LUA_INCLUDE_DIR = "$(LUA_INCDIR)",
  },
}
test = { type = "command", command = "sh spec/run.sh" } -- on Debian it installs what it needs
