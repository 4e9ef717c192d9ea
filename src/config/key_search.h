// What somebody meant who wrote a key or a flag that does not exist.
#pragma once

#include <cstddef>
#include <set>
#include <string>

namespace wf {

/// TRAIN, TRAIN.OPTIMIZER, …: the keys that have keys below them.
std::set<std::string> section_names();

/// The key, section or BASE that `key` most likely meant. Its section may be missing or another,
/// and it may be in lower case.
std::string nearest_key(const std::string& key);

/// The key that a flag which does not exist may stand for: --lr is TRAIN.BASE_LR, --workers is
/// DATA.NUM_WORKERS. `typos`: how many characters may differ. "" when there is none.
std::string key_of_flag(const std::string& flag, size_t typos);

}  // namespace wf
