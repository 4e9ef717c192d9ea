// Suggestions for keys and flags that do not exist.
#pragma once

#include <cstddef>
#include <set>
#include <string>

namespace wf {

/// TRAIN, TRAIN.OPTIMIZER, …: the keys that have keys below them.
std::set<std::string> section_names();

/// The key, section or BASE most similar to `key`, whose section may be missing or wrong and which
/// may be in lower case.
std::string nearest_key(const std::string& key);

/// The key that an unknown flag may stand for: --lr is TRAIN.BASE_LR, --workers is
/// DATA.NUM_WORKERS. `typos`: how many characters may differ. "" when there is none.
std::string key_of_flag(const std::string& flag, size_t typos);

}  // namespace wf
