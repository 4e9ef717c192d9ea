# cmake --install BUILD --prefix P [--component core|trainer|programs]: the models, the trainer's library and the programs
# for find_package(weightformer COMPONENTS …). The directory can be moved afterwards; only LibTorch stays where it is.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(wf_package "${CMAKE_INSTALL_LIBDIR}/cmake/weightformer")

# wf_install_headers(COMPONENT MODULE…)
function(wf_install_headers component)
  foreach(module ${ARGN})
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/weightformer/${module}"
      DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/weightformer" COMPONENT ${component}
      FILES_MATCHING PATTERN "*.h")
  endforeach()
endfunction()

set_target_properties(weightformer_core PROPERTIES INSTALL_RPATH "${WF_TORCH_ROOT}/lib")
install(TARGETS weightformer_core EXPORT weightformerTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT core NAMELINK_COMPONENT core)
wf_install_headers(core core models nn ops)
if(WF_NLOHMANN_INCLUDE)
  wf_install_headers(core serialization)
endif()
install(EXPORT weightformerTargets NAMESPACE weightformer:: DESTINATION "${wf_package}" COMPONENT core)
wf_torch_version("${WF_TORCH_ROOT}" WF_TORCH_VERSION)
configure_package_config_file(cmake/weightformerConfig.cmake.in
  "${PROJECT_BINARY_DIR}/weightformerConfig.cmake" INSTALL_DESTINATION "${wf_package}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/weightformerConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/weightformerConfig.cmake"
  "${PROJECT_BINARY_DIR}/weightformerConfigVersion.cmake" cmake/Torch.cmake
  DESTINATION "${wf_package}" COMPONENT core)

if(WF_TRAINER)
  set_target_properties(weightformer_trainer PROPERTIES EXPORT_NAME trainer)
  install(TARGETS weightformer_trainer EXPORT weightformerTrainerTargets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT trainer)
  wf_install_headers(trainer config data engine optim)
  install(EXPORT weightformerTrainerTargets NAMESPACE weightformer:: DESTINATION "${wf_package}"
    COMPONENT trainer)
endif()

set(wf_programs ${WF_PROGRAMS})
if(WF_BENCH)
  list(APPEND wf_programs wf_bench)
endif()
if(wf_programs)
  file(RELATIVE_PATH wf_to_lib "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
  set_target_properties(${wf_programs} PROPERTIES
    INSTALL_RPATH "$ORIGIN/${wf_to_lib};${WF_TORCH_ROOT}/lib")
  install(TARGETS ${wf_programs} EXPORT weightformerProgramTargets
    RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT programs)
  install(EXPORT weightformerProgramTargets NAMESPACE weightformer:: DESTINATION "${wf_package}"
    COMPONENT programs)
endif()
