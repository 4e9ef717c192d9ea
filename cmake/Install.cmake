# cmake --install BUILD --prefix P: the models for find_package(weightformer), and the programs.
# The trainer's library is not installed: embed it with add_subdirectory.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(wf_package "${CMAKE_INSTALL_LIBDIR}/cmake/weightformer")

set_target_properties(weightformer_core PROPERTIES INSTALL_RPATH "${WF_TORCH_ROOT}/lib")
install(TARGETS weightformer_core EXPORT weightformerTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
set(wf_modules core models nn ops)
if(WF_NLOHMANN_INCLUDE)
  list(APPEND wf_modules serialization)
endif()
foreach(module ${wf_modules})
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/weightformer/${module}"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/weightformer" FILES_MATCHING PATTERN "*.h")
endforeach()

install(EXPORT weightformerTargets NAMESPACE weightformer:: DESTINATION "${wf_package}")
wf_torch_version("${WF_TORCH_ROOT}" WF_TORCH_VERSION)
configure_package_config_file(cmake/weightformerConfig.cmake.in
  "${PROJECT_BINARY_DIR}/weightformerConfig.cmake" INSTALL_DESTINATION "${wf_package}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/weightformerConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/weightformerConfig.cmake"
  "${PROJECT_BINARY_DIR}/weightformerConfigVersion.cmake" cmake/Torch.cmake
  DESTINATION "${wf_package}")

set(wf_programs ${WF_PROGRAMS})
if(WF_BENCH)
  list(APPEND wf_programs wf_bench)
endif()
if(wf_programs)
  file(RELATIVE_PATH wf_to_lib "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
  set_target_properties(${wf_programs} PROPERTIES
    INSTALL_RPATH "$ORIGIN/${wf_to_lib};${WF_TORCH_ROOT}/lib")
  install(TARGETS ${wf_programs} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
