# WF_CUDA=AUTO|ON|OFF decides WF_USE_CUDA. AUTO takes CUDA when nvcc is there and torch's CUDA
# libraries can be linked; no GPU and no driver are needed to build.

set(WF_CUDA AUTO CACHE STRING "Build the CUDA kernels: AUTO, ON or OFF")
set_property(CACHE WF_CUDA PROPERTY STRINGS AUTO ON OFF)
# sm_80: A100, sm_90: H100 and H200, sm_100: B200; the PTX of the last serves what comes after.
set(WF_CUDA_ARCHITECTURES "80-real;90-real;100-real;100-virtual" CACHE STRING
  "GPU architectures, in the form of CMAKE_CUDA_ARCHITECTURES")
if(NOT WF_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "WF_CUDA is '${WF_CUDA}': expected AUTO, ON or OFF.")
endif()

set(WF_USE_CUDA OFF)
if(NOT WF_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    execute_process(COMMAND "${CMAKE_CUDA_COMPILER}" --version OUTPUT_VARIABLE wf_nvcc_version ERROR_QUIET)
    string(REGEX REPLACE ".*release ([0-9.]+).*" "\\1" wf_nvcc_version "${wf_nvcc_version}")
  endif()
  if(NOT CMAKE_CUDA_COMPILER)
    set(wf_no_cuda "nvcc was not found")
  elseif(wf_nvcc_version VERSION_LESS 12.8) # the first that knows sm_100
    set(wf_no_cuda "nvcc is ${wf_nvcc_version}, and ${WF_CUDA_ARCHITECTURES} needs 12.8")
  elseif(NOT WF_LIB_torch_cuda OR NOT WF_LIB_c10_cuda)
    set(wf_no_cuda "this LibTorch was built without CUDA")
  else()
    # A wheel installed without its CUDA libraries (bootstrap --light) has torch_cuda but cannot
    # link it, so linking is what is asked.
    if(NOT DEFINED WF_TORCH_CUDA_LINKS)
      message(STATUS "weightformer: trying to link torch_cuda")
      file(WRITE "${CMAKE_BINARY_DIR}/CMakeFiles/torch_cuda_links.cpp" "int main() {}\n")
      try_compile(WF_TORCH_CUDA_LINKS "${CMAKE_BINARY_DIR}/CMakeFiles/torch_cuda_links"
        "${CMAKE_BINARY_DIR}/CMakeFiles/torch_cuda_links.cpp"
        LINK_OPTIONS -Wl,--no-as-needed
        LINK_LIBRARIES "${WF_LIB_torch_cuda}" "${WF_LIB_torch_cpu}" "${WF_LIB_c10_cuda}" "${WF_LIB_c10}")
    endif()
    if(WF_TORCH_CUDA_LINKS)
      set(WF_USE_CUDA ON)
    else()
      set(wf_no_cuda "torch's CUDA libraries cannot be linked (a wheel without its nvidia-* packages?)")
    endif()
  endif()
  if(NOT WF_USE_CUDA AND WF_CUDA STREQUAL "ON")
    message(FATAL_ERROR "WF_CUDA=ON, but ${wf_no_cuda}.")
  endif()
endif()

if(WF_USE_CUDA)
  set(CMAKE_CUDA_ARCHITECTURES "${WF_CUDA_ARCHITECTURES}")
  set(CMAKE_CUDA_STANDARD ${WF_TORCH_STANDARD})
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  wf_link_torch_cuda()
  message(STATUS "weightformer: CUDA ${CUDAToolkit_VERSION} for ${WF_CUDA_ARCHITECTURES}")
else()
  message(STATUS "weightformer: CPU only (${WF_CUDA}${wf_no_cuda})")
endif()
