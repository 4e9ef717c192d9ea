# Finds LibTorch and offers it as the target `weightformer_torch`.
#
# torch's own CMake package insists on a full CUDA toolkit whenever the library was built with
# CUDA, even for a program that never uses it. The pip wheel is such a build, so a machine without
# a toolkit could not compile against it. Here the headers and libraries are found directly:
# torch_cpu and c10 always, the CUDA ones when WF_USE_CUDA is set.
#
# Looked for, in this order: a target `torch` of the project that includes this one, Torch_DIR,
# CMAKE_PREFIX_PATH (the root of a zip or wheel, or torch.utils.cmake_prefix_path), then, unless one
# of these named a LibTorch, WF_TORCH_FALLBACK, .venv/ beside the sources and the torch of `python3`.
# All headers and libraries are those of the one root that is found.
#
# An installed copy of this file serves weightformerConfig.cmake.

# The oldest version that has what the sources use, and the newest that they were built with (tests/newest_torch/).
set(WF_TORCH_OLDEST 2.11)
set(WF_TORCH_NEWEST 2.15)

# Sets `out` to the root of the LibTorch in the directory `path`, or to "".
function(wf_torch_root path out)
  set(${out} "" PARENT_SCOPE)
  foreach(candidate "${path}" "${path}/libtorch" "${path}/../.." "${path}/../../..")
    if(EXISTS "${candidate}/include/ATen/core/Tensor.h")
      get_filename_component(root "${candidate}" REALPATH)
      set(${out} "${root}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

function(wf_find_torch)
  set(named "")
  if(TARGET torch)
    # find_package(Torch) sets the location of one configuration only.
    get_target_property(configurations torch IMPORTED_CONFIGURATIONS)
    foreach(suffix "" ${configurations})
      string(REGEX REPLACE "(.+)" "_\\1" suffix "${suffix}")
      get_target_property(library torch "IMPORTED_LOCATION${suffix}")
      if(library)
        get_filename_component(directory "${library}" DIRECTORY)
        list(APPEND named "${directory}/..")
        break()
      endif()
    endforeach()
  elseif(Torch_DIR)
    wf_torch_root("${Torch_DIR}" root)
    if(NOT root)
      message(FATAL_ERROR "Torch_DIR is ${Torch_DIR}: expected LIBTORCH/share/cmake/Torch, with "
                          "LIBTORCH/include beside it")
    endif()
    list(APPEND named "${root}")
  endif()
  list(APPEND named ${CMAKE_PREFIX_PATH})
  string(REPLACE ":" ";" environment "$ENV{CMAKE_PREFIX_PATH}")
  list(APPEND named ${environment} ${WF_TORCH_FALLBACK})
  file(GLOB beside "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch")
  set(root "")
  foreach(path ${named} ${beside})
    wf_torch_root("${path}" root)
    if(root)
      break()
    endif()
  endforeach()
  if(NOT root)
    execute_process(
      COMMAND python3 -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
      OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    wf_torch_root("${path}" root)
  endif()
  if(NOT root)
    message(FATAL_ERROR "LibTorch not found. Run tools/bootstrap.sh, or pass "
                        "-DCMAKE_PREFIX_PATH=/where/libtorch/is (the directory with include/ and lib/).")
  endif()
  set(WF_TORCH_ROOT "${root}" PARENT_SCOPE)
  set(WF_TORCH_INCLUDE "${root}/include" PARENT_SCOPE)
  foreach(lib torch_cpu c10 torch_cuda c10_cuda)
    set(file "${root}/lib/lib${lib}.so")
    if(NOT EXISTS "${file}" AND lib MATCHES "^(torch_cpu|c10)$")
      message(FATAL_ERROR "${root}: holds LibTorch's headers, but no lib/lib${lib}.so")
    elseif(NOT EXISTS "${file}")
      set(file "")
    endif()
    set(WF_LIB_${lib} "${file}" PARENT_SCOPE)
  endforeach()
endfunction()

# "2.11.0", by the headers of the LibTorch in `root`; "unknown" for one that is too old to have them.
function(wf_torch_version root out)
  set(file "${root}/include/torch/headeronly/version.h")
  if(NOT EXISTS "${file}")
    set(${out} unknown PARENT_SCOPE)
    return()
  endif()
  file(STRINGS "${file}" lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
  string(REGEX REPLACE "#define TORCH_VERSION_[A-Z]+ ([0-9]+)" "\\1" numbers "${lines}")
  string(REPLACE ";" "." version "${numbers}")
  set(${out} "${version}" PARENT_SCOPE)
endfunction()

function(wf_check_torch_version)
  wf_torch_version("${WF_TORCH_ROOT}" version)
  if(version STREQUAL "unknown" OR version VERSION_LESS WF_TORCH_OLDEST)
    message(FATAL_ERROR "LibTorch in ${WF_TORCH_ROOT} is ${version}: expected ${WF_TORCH_OLDEST} or later, up to "
                        "${WF_TORCH_NEWEST} was tried")
  endif()
  string(REGEX MATCH "^[0-9]+[.][0-9]+" minor "${version}")
  if(minor VERSION_GREATER WF_TORCH_NEWEST)
    message(WARNING "LibTorch in ${WF_TORCH_ROOT} is ${version}: up to ${WF_TORCH_NEWEST} was tried")
  endif()
endfunction()

# The C++ standard that the headers in `root` ask for: 17, or 20 in later versions.
function(wf_torch_standard root out)
  set(standard 17)
  if(EXISTS "${root}/include/ATen/ATen.h")
    file(STRINGS "${root}/include/ATen/ATen.h" lines REGEX "C[+][+][0-9]+ or later")
    if(lines MATCHES "C[+][+]([0-9]+) or later")
      set(standard ${CMAKE_MATCH_1})
    endif()
  endif()
  set(${out} ${standard} PARENT_SCOPE)
endfunction()

# torch_cuda registers itself when loaded and nothing names its symbols, so a linker would drop it.
function(wf_link_torch_cuda)
  get_target_property(linked weightformer_torch INTERFACE_LINK_LIBRARIES)
  if(linked MATCHES "no-as-needed")
    return()
  endif()
  target_link_libraries(weightformer_torch INTERFACE
    "-Wl,--push-state,--no-as-needed,${WF_LIB_torch_cuda},${WF_LIB_c10_cuda},--pop-state")
endfunction()

wf_find_torch()
message(STATUS "weightformer: LibTorch in ${WF_TORCH_ROOT}")
wf_check_torch_version()
wf_torch_standard("${WF_TORCH_ROOT}" WF_TORCH_STANDARD)

if(NOT TARGET weightformer_torch) # an installed package may be found twice in a build
  add_library(weightformer_torch INTERFACE)
  target_compile_features(weightformer_torch INTERFACE cxx_std_${WF_TORCH_STANDARD})
  target_include_directories(weightformer_torch SYSTEM INTERFACE
    "${WF_TORCH_INCLUDE}" "${WF_TORCH_INCLUDE}/torch/csrc/api/include")
  if(TARGET torch)
    target_link_libraries(weightformer_torch INTERFACE torch)
  else()
    target_link_libraries(weightformer_torch INTERFACE "${WF_LIB_torch_cpu}" "${WF_LIB_c10}")
  endif()
endif()

# at::parallel_for is a plain loop in a file compiled without OpenMP. LibTorch's own runtime is
# linked: a second one would have threads of its own, which torch.set_num_threads() does not reach.
find_package(OpenMP REQUIRED COMPONENTS CXX)
file(GLOB WF_OPENMP_RUNTIME "${WF_TORCH_ROOT}/lib/libgomp*.so*")
if(NOT WF_OPENMP_RUNTIME)
  set(WF_OPENMP_RUNTIME OpenMP::OpenMP_CXX)
endif()
