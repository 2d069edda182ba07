# The target docs: docs/reference.html out of lua/calira/types.lua. It fails where a public function is not documented.

find_program(CALIRA_LUA_PROGRAM NAMES lua5.4 lua-5.4 lua54 lua)
if(CALIRA_LUA_PROGRAM)
  set(generate ${CALIRA_LUA_PROGRAM} docs/generate.lua)
else()
  set(generate ${CMAKE_COMMAND} -E false)
endif()
add_custom_target(docs
  COMMAND ${generate}
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
  COMMENT "docs/reference.html"
  VERBATIM)
