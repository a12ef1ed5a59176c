// Writes the op reference to the file that is named.
#include <fstream>
#include <iostream>

#include "reference.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: write_ops_reference FILE\n";
    return 2;
  }
  std::ofstream file(arguments[1]);
  file << temper::ops_reference();
  return file.flush() ? 0 : 1;
}
