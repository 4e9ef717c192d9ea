# Build options of this project: warnings, sanitizers, and build speed (ccache, mold, one
# precompiled torch header). A project that includes this one keeps its own.

find_program(WF_CCACHE ccache)
if(WF_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness lets ccache cache files compiled with a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    "${CMAKE_COMMAND}" -E env "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime" "${WF_CCACHE}")
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${WF_CCACHE}")
  add_compile_options("$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>")
endif()

find_program(WF_MOLD mold)
if(WF_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

set(WF_SANITIZE "" CACHE STRING "Sanitizers for all code, as in -fsanitize=…: address,undefined or thread")
if(WF_SANITIZE)
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${WF_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
  add_link_options("-fsanitize=${WF_SANITIZE}")
endif()
