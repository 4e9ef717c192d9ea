# wf_cpu_kernels(TARGET FILE…): adds the files compiled once for each instruction set, as PyTorch
# does with its own; see kernels/cpu/capability.h.
function(wf_cpu_kernels target)
  set(flags_DEFAULT "")
  set(flags_AVX2 -mavx2 -mfma -mf16c)
  set(flags_AVX512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c)
  set(capabilities DEFAULT)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    list(APPEND capabilities AVX2 AVX512)
  endif()
  foreach(capability ${capabilities})
    set(objects ${target}_${capability})
    add_library(${objects} OBJECT ${ARGN})
    target_include_directories(${objects} PRIVATE
      ${WF_INTERNAL_INCLUDES} "${PROJECT_SOURCE_DIR}/include")
    target_link_libraries(${objects} PRIVATE weightformer_torch)
    target_compile_definitions(${objects} PRIVATE
      CPU_CAPABILITY=${capability} CPU_CAPABILITY_${capability})
    # The loops are slow without optimisation, and a debug build runs them too.
    target_compile_options(${objects} PRIVATE -O3 ${flags_${capability}})
    wf_target_options(${objects})
    # GCC 12 warns of its own AVX-512 intrinsics.
    target_compile_options(${objects} PRIVATE -Wno-uninitialized -Wno-maybe-uninitialized)
    if(capability STREQUAL "DEFAULT")
      target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
    else()
      # Linked behind all others: of an inline function that both have, the first copy is kept, and
      # that must be one that any processor can run.
      target_link_libraries(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
    endif()
  endforeach()
endfunction()

# wf_ops(TARGET STEM…): adds the files of each operator: src/ops/STEM.cpp and, where it has kernels of
# its own, kernels/cpu/STEM_kernel.cpp and kernels/cuda/STEM_kernel.cu. Sets WF_CUDA_STEMS to the stems
# with CUDA kernels that are built.
function(wf_ops target)
  set(cpu_kernels "")
  set(cuda_stems "")
  target_sources(${target} PRIVATE kernels/cpu/capability.cpp)
  foreach(stem ${ARGN})
    target_sources(${target} PRIVATE src/ops/${stem}.cpp)
    wf_compile_separately(src/ops/${stem}.cpp) # every operator has an Autograd and a forward()
    if(EXISTS "${PROJECT_SOURCE_DIR}/kernels/cpu/${stem}_kernel.cpp")
      list(APPEND cpu_kernels kernels/cpu/${stem}_kernel.cpp)
    endif()
    if(WF_USE_CUDA AND EXISTS "${PROJECT_SOURCE_DIR}/kernels/cuda/${stem}_kernel.cu")
      target_sources(${target} PRIVATE kernels/cuda/${stem}_kernel.cu)
      list(APPEND cuda_stems ${stem})
    endif()
  endforeach()
  wf_cpu_kernels(${target} ${cpu_kernels})
  set(WF_CUDA_STEMS ${cuda_stems} PARENT_SCOPE)
endfunction()
