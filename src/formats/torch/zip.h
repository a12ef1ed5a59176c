#pragma once
// The entries of an uncompressed ZIP archive, as PyTorch writes it.
#include <map>
#include <string>
#include <string_view>

namespace temper::torch {

// Contents by name, views into `bytes`. Error corrupt or unsupported (compressed entries) names the entry.
std::map<std::string, std::string_view> zip_entries(std::string_view bytes, const std::string& what);

}  // namespace temper::torch
