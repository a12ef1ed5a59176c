#pragma once

namespace temper {

void register_devices();  // every device temper is built with, once; which of them answer is found when
                          // opened

}  // namespace temper
