# Removes the files that the last installation from a build tree installed, and the folders of ours that it leaves empty.
#
#   cmake -DMANIFEST=build/release/install_manifest.txt -P uninstall.cmake

if(NOT EXISTS ${MANIFEST})
  message(FATAL_ERROR "${MANIFEST}: nothing was installed from this tree")
endif()
file(STRINGS ${MANIFEST} files)
set(folders "")
foreach(file IN LISTS files)
  set(path "$ENV{DESTDIR}${file}")
  if(EXISTS "${path}" OR IS_SYMLINK "${path}")
    message(STATUS "Removing: ${path}")
    file(REMOVE "${path}")
  else()
    message(STATUS "Not there: ${path}")
  endif()
  cmake_path(GET path PARENT_PATH folder)
  while(folder MATCHES "/calira(/|$)")
    list(APPEND folders "${folder}")
    cmake_path(GET folder PARENT_PATH folder)
  endwhile()
endforeach()

list(REMOVE_DUPLICATES folders)
list(SORT folders ORDER DESCENDING) # what lies deeper goes first
foreach(folder IN LISTS folders)
  file(GLOB left "${folder}/*")
  if(IS_DIRECTORY "${folder}" AND NOT left)
    file(REMOVE_RECURSE "${folder}")
  endif()
endforeach()
file(REMOVE ${MANIFEST})
