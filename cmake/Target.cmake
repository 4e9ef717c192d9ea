# Compile options of every target of this project.

option(WF_PCH "Precompile the headers of LibTorch that most files need (500 MB of disk)" ON)

# Internal headers are beside their sources: "data/image/resize.h", "kernels/cuda/pack.cuh".
set(WF_INTERNAL_INCLUDES "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")

option(WF_UNITY "Compile the sources of a directory as one file: headers take most of the time" ON)

# To be called when `target` has all its sources. What must be compiled by itself (a source with flags
# of its own, or with names that another one of the directory has) is marked by wf_compile_separately().
function(wf_compile_by_directory target)
  if(NOT WF_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  foreach(source ${sources})
    if(source MATCHES "\\.cpp$")
      get_filename_component(directory "${source}" DIRECTORY)
      string(MAKE_C_IDENTIFIER "${directory}" group)
      set_source_files_properties("${source}" PROPERTIES UNITY_GROUP "${group}")
    endif()
  endforeach()
endfunction()

function(wf_compile_separately)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# PCH CORE builds the precompiled header, PCH REUSE takes it from weightformer_core.
function(wf_target_options target)
  cmake_parse_arguments(arg "" "PCH" "" ${ARGN})
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra>")
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${OpenMP_CXX_FLAGS}>")
  target_link_libraries(${target} PRIVATE "$<BUILD_INTERFACE:${WF_OPENMP_RUNTIME}>")
  # One precompiled header serves libraries and programs only when all are compiled alike (-fPIC,
  # where CMake would give programs -fPIE).
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:-fPIC>" "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fPIC>")
  # The same for all, so that all can share the precompiled header.
  target_compile_definitions(${target} PRIVATE FMT_HEADER_ONLY=1)
  if(WF_PCH AND arg_PCH STREQUAL "CORE")
    target_precompile_headers(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${PROJECT_SOURCE_DIR}/src/core/precompiled.h>")
  elseif(WF_PCH AND arg_PCH STREQUAL "REUSE")
    target_precompile_headers(${target} REUSE_FROM weightformer_core)
  endif()
endfunction()
