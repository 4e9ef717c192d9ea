// wf_bench --data where the trainer, which has the loader, is not built.

#include "bench.h"

namespace wf {

void bench_data(const BenchOptions&) {
  throw Error(
      "--data: this wf_bench was built without the trainer; configure with -DWF_TRAINER=ON");
}

}  // namespace wf
