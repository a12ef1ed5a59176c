module @temper {
 func.func public @main() -> (tensor<2x2xbf16>, tensor<2x3xf32>, tensor<f16>, tensor<0x3xf64>, tensor<17xf32>, tensor<2xui64>, tensor<2xi1>) {
  %0 = "stablehlo.constant"() {value = dense<1.0013580322265625e-05> : tensor<2x2xbf16>} : () -> tensor<2x2xbf16>
  %1 = "stablehlo.constant"() {value = dense<[[1.0, -0.5, 0x7F800000], [1.0000000150474662e+30, 0.0, 0.10000000149011612]]> : tensor<2x3xf32>} : () -> tensor<2x3xf32>
  %2 = "stablehlo.constant"() {value = dense<0x7E00> : tensor<f16>} : () -> tensor<f16>
  %3 = "stablehlo.constant"() {value = dense<> : tensor<0x3xf64>} : () -> tensor<0x3xf64>
  %4 = "stablehlo.constant"() {value = dense<"0x0000803F0000004000004040000080400000A0400000C0400000E04000000041000010410000204100003041000040410000504100006041000070410000804100008841"> : tensor<17xf32>} : () -> tensor<17xf32>
  %5 = "stablehlo.constant"() {value = dense<[18446744073709551615, 7]> : tensor<2xui64>} : () -> tensor<2xui64>
  %6 = "stablehlo.constant"() {value = dense<[true, false]> : tensor<2xi1>} : () -> tensor<2xi1>
  "func.return"(%0, %1, %2, %3, %4, %5, %6) : (tensor<2x2xbf16>, tensor<2x3xf32>, tensor<f16>, tensor<0x3xf64>, tensor<17xf32>, tensor<2xui64>, tensor<2xi1>) -> ()
 }
}
