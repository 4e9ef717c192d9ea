// decode_probe LIST SIZES PIXELS: decodes the files that LIST names, one a line. Writes a line
// "WIDTH HEIGHT" or "0 0 MESSAGE" of each to SIZES, and all pixels to PIXELS.

#include "data/image/decode.h"

#include <fstream>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::ifstream list(argv[1]);
  std::ofstream sizes(argv[2]), pixels(argv[3], std::ios::binary);
  for (std::string path; std::getline(list, path);) {
    try {
      const auto image = wf::read_image(path);
      sizes << image.width << " " << image.height << "\n";
      pixels.write(reinterpret_cast<const char*>(image.pixels.data()),
                   static_cast<std::streamsize>(image.pixels.size()));
    } catch (const wf::UnreadableImage& problem) {
      sizes << "0 0 " << problem.what() << "\n";
    }
  }
  return sizes.good() && pixels.good() ? 0 : 1;
}
