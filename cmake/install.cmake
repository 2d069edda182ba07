# What is installed, and the target `uninstall`.

install(TARGETS calira_core LIBRARY DESTINATION ${CALIRA_LIBDIR}/calira)
install(DIRECTORY lua/calira DESTINATION ${CALIRA_LUADIR} FILES_MATCHING PATTERN "*.lua")
if(EXISTS ${PROJECT_SOURCE_DIR}/bin/calira)
  install(PROGRAMS bin/calira DESTINATION ${CALIRA_BINDIR})
  install(DIRECTORY share/ DESTINATION ${CMAKE_INSTALL_DATAROOTDIR} PATTERN "generate.sh" EXCLUDE) # manual page, completions
endif()

if(CALIRA_INSTALL_HOST)
  include(CMakePackageConfigHelpers)
  set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/calira)
  install(TARGETS calira_static calira_shared EXPORT calira
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES csrc/calira.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT calira NAMESPACE calira:: FILE calira-targets.cmake DESTINATION ${package_dir})
  configure_package_config_file(cmake/calira-config.cmake.in calira-config.cmake INSTALL_DESTINATION ${package_dir}
    NO_SET_AND_CHECK_MACRO)
  write_basic_package_version_file(calira-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/calira-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/calira-config-version.cmake
    DESTINATION ${package_dir})

  # calira.pc finds its prefix by where it lies itself, so that a staged tree can be used where it is.
  file(RELATIVE_PATH pc_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
    set(pc_prefix ${CMAKE_INSTALL_PREFIX})
  else()
    set(pc_prefix "\${pcfiledir}/${pc_prefix}")
    string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
  endif()
  set(pc_lua ${LUA_MODULE_NAME})
  configure_file(cmake/calira.pc.in calira.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/calira.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

if(PROJECT_IS_TOP_LEVEL)
  add_custom_target(uninstall
    COMMAND ${CMAKE_COMMAND} -DMANIFEST=${PROJECT_BINARY_DIR}/install_manifest.txt
            -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake
    COMMENT "Removing what the last installation from this tree installed"
    VERBATIM)
endif()
