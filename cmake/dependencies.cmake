# Lua 5.4, libcurl and threads; what is missing is named as Debian names it.

find_package(PkgConfig QUIET)
if(NOT PKG_CONFIG_FOUND)
  message(FATAL_ERROR "pkg-config was not found: apt-get install pkg-config")
endif()

# luarocks says where the headers of its Lua are.
set(CALIRA_LUA_INCLUDE_DIR "" CACHE PATH "Directory of lua.h (default: pkg-config is asked)")

# liblua is for programs that host Lua; the module does without.
pkg_search_module(LUA QUIET IMPORTED_TARGET GLOBAL lua5.4 lua-5.4 lua54 lua>=5.4)
set(lua_include_dirs ${LUA_INCLUDE_DIRS})
if(CALIRA_LUA_INCLUDE_DIR AND EXISTS ${CALIRA_LUA_INCLUDE_DIR}/lua.h)
  set(lua_include_dirs ${CALIRA_LUA_INCLUDE_DIR})
endif()
set(lua_version "")
foreach(dir IN LISTS lua_include_dirs)
  if(EXISTS ${dir}/lua.h)
    file(STRINGS ${dir}/lua.h lua_version REGEX "^#define[ \t]+LUA_VERSION_(MAJOR|MINOR|RELEASE)(_N)?[ \t]+\"?[0-9]")
    string(REGEX REPLACE "[^0-9;]" "" lua_version "${lua_version}")
    list(JOIN lua_version "." lua_version)
    set(lua_header ${dir}/lua.h)
    break()
  endif()
endforeach()
if(NOT lua_version)
  message(FATAL_ERROR "the headers of Lua 5.4 were not found: apt-get install lua5.4 liblua5.4-dev")
elseif(lua_version VERSION_LESS 5.4.3) # lua_closeslot is new there
  message(FATAL_ERROR "${lua_header} is Lua ${lua_version}, calira needs 5.4.3: apt-get install lua5.4 liblua5.4-dev")
endif()
add_library(calira_lua_headers INTERFACE)
target_include_directories(calira_lua_headers SYSTEM INTERFACE ${lua_include_dirs})

find_package(CURL 7.88 QUIET GLOBAL) # for a project that adds this one as a subdirectory, too
if(NOT CURL_FOUND)
  message(FATAL_ERROR "libcurl 7.88 or later was not found: apt-get install libcurl4-openssl-dev")
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED GLOBAL)
