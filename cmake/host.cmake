# The library for C hosts: libcalira.a and libcalira.so. `calira::calira` is one of them, `calira::static` and
# `calira::shared` say which. They bring `calira::lua` along, liblua as pkg-config finds it; a host with a Lua of its own
# defines a target of that name first.

if(NOT TARGET calira::lua AND TARGET PkgConfig::LUA)
  add_library(calira::lua INTERFACE IMPORTED GLOBAL) # no alias: the exported targets name this one
  target_link_libraries(calira::lua INTERFACE PkgConfig::LUA)
endif()

# Hosts have functions named list_open and timer_arm, too. An archive has no visibility, so what is not in calira.h is made
# local: all objects become one, in which hidden symbols are local ones.
set(localized "")
if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang" AND CMAKE_OBJCOPY AND NOT APPLE AND NOT CALIRA_SANITIZE)
  set(localized ${PROJECT_BINARY_DIR}/libcalira.o)
  include(CheckLinkerFlag)
  check_linker_flag(C -Wl,--force-group-allocation CALIRA_FORCE_GROUP_ALLOCATION)
  if(CALIRA_FORCE_GROUP_ALLOCATION)
    # Elsewhere functions that every object brings along (i386 has such) would stay in groups whose name is local.
    set(groups -Wl,--force-group-allocation)
  endif()
  add_custom_command(
    OUTPUT ${localized}
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib ${groups} -o ${localized} $<TARGET_OBJECTS:calira_objects>
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${localized}
    DEPENDS calira_objects $<TARGET_OBJECTS:calira_objects>
    COMMENT "Making local what is not in calira.h"
    VERBATIM COMMAND_EXPAND_LISTS)
  set_source_files_properties(${localized} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
elseif(NOT CALIRA_SANITIZE)
  message(STATUS "libcalira.a shows all of its names: no objcopy --localize-hidden here")
endif()

add_library(calira_static STATIC)
add_library(calira_shared SHARED)
if(localized)
  target_sources(calira_static PRIVATE ${localized})
else()
  target_sources(calira_static PRIVATE $<TARGET_OBJECTS:calira_objects>)
  target_link_libraries(calira_static PRIVATE $<BUILD_INTERFACE:calira_options>) # a sanitizer's runtime
endif()
target_link_libraries(calira_shared PRIVATE $<BUILD_INTERFACE:calira_objects>)
target_link_libraries(calira_static PRIVATE CURL::libcurl Threads::Threads m) # of an archive, hosts link these
# As the module, the shared library takes Lua from the host, be that liblua.so or a Lua inside the program.
foreach(kind IN ITEMS static shared)
  target_include_directories(calira_${kind} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/csrc> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(calira_${kind} INTERFACE calira::lua)
  set_target_properties(calira_${kind} PROPERTIES OUTPUT_NAME calira EXPORT_NAME ${kind} LINKER_LANGUAGE C)
  add_library(calira::${kind} ALIAS calira_${kind})
endforeach()
set_target_properties(calira_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
if(APPLE)
  target_link_options(calira_shared PRIVATE -undefined dynamic_lookup)
else()
  target_link_options(calira_shared PRIVATE -Wl,-z,nodelete) # as the module
endif()

if(BUILD_SHARED_LIBS)
  add_library(calira::calira ALIAS calira_shared)
else()
  add_library(calira::calira ALIAS calira_static)
endif()
