#pragma once
// What the shared library shows; everything else is hidden.
#define TEMPER_API __attribute__((visibility("default")))
