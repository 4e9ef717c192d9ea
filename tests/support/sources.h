// The files of the project, for tests of its rules.
#pragma once

#include "support/temp_dir.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace wf::testing {

struct SourceFile {
  std::string path;  // below the root
  std::vector<std::string> lines;
};

inline SourceFile split_lines(std::string path, const std::string& text) {
  SourceFile file{std::move(path), {}};
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) file.lines.push_back(line);
  return file;
}

/// All files below `directories` of `root` whose extension is among `extensions`.
inline std::vector<SourceFile> sources(const std::string& root,
                                       const std::vector<std::string>& directories,
                                       const std::vector<std::string>& extensions) {
  std::vector<SourceFile> files;
  for (const auto& directory : directories) {
    if (!std::filesystem::exists(root + "/" + directory)) continue;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(root + "/" + directory)) {
      const auto extension = entry.path().extension().string();
      if (!entry.is_regular_file() ||
          std::find(extensions.begin(), extensions.end(), extension) == extensions.end()) {
        continue;
      }
      files.push_back(split_lines(entry.path().lexically_relative(root).string(),
                                  read_file(entry.path().string())));
    }
  }
  return files;
}

}  // namespace wf::testing
