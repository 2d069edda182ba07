# calira_options: how every C file here is compiled, the tests' too.

add_library(calira_options INTERFACE)

target_compile_options(calira_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
  $<$<BOOL:${CALIRA_WERROR}>:-Werror>)

# -std=c11 hides everything that is not ISO C: clocks, sockets, epoll's close-on-exec relatives.
if(APPLE)
  target_compile_definitions(calira_options INTERFACE _DARWIN_C_SOURCE)
elseif(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  target_compile_definitions(calira_options INTERFACE _GNU_SOURCE)
elseif(CMAKE_SYSTEM_NAME STREQUAL "NetBSD")
  target_compile_definitions(calira_options INTERFACE _NETBSD_SOURCE)
endif()

set(sanitize_flags "")
if(CALIRA_SANITIZE STREQUAL "address")
  set(sanitize_flags -fsanitize=address,undefined)
  if(CMAKE_C_COMPILER_ID MATCHES "Clang")
    list(APPEND sanitize_flags -shared-libasan) # a module's runtime has to be preloaded
  endif()
elseif(CALIRA_SANITIZE STREQUAL "thread")
  set(sanitize_flags -fsanitize=thread)
elseif(CALIRA_SANITIZE STREQUAL "fuzzer")
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "fuzzing needs clang: apt-get install clang libclang-rt-dev")
  endif()
  set(sanitize_flags -fsanitize=fuzzer-no-link,address,undefined)
elseif(CALIRA_SANITIZE)
  message(FATAL_ERROR "CALIRA_SANITIZE is '${CALIRA_SANITIZE}': address, thread, fuzzer or nothing is meant")
endif()
if(sanitize_flags)
  list(APPEND sanitize_flags -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(calira_options INTERFACE ${sanitize_flags})
  target_link_options(calira_options INTERFACE ${sanitize_flags})
endif()
