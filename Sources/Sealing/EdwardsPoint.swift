import CCrypto

/// The u-coordinate on the Montgomery curve of an ed25519 public key (RFC 7748, section 4.1): (1 + y) / (1 - y) modulo 2^255 - 19.
/// Nil for y = 1, the neutral element, and for a y that is not reduced.
func montgomeryPoint(ofEd25519 key: [UInt8]) -> [UInt8]? {
    guard key.count == 32 else { return nil }
    var bytes = key
    bytes[31] &= 0x7F  // the sign of x
    let context = unsafe BN_CTX_new()
    defer { unsafe BN_CTX_free(context) }
    let y = unsafe BN_lebin2bn(bytes, 32, nil), prime = unsafe BN_new(), above = unsafe BN_new(), below = unsafe BN_new()
    defer { unsafe [y, prime, above, below].forEach { unsafe BN_free($0) } }
    guard unsafe BN_set_bit(prime, 255) == 1, unsafe BN_sub_word(prime, 19) == 1, unsafe BN_cmp(y, prime) < 0,
        unsafe BN_mod_sub(below, BN_value_one(), y, prime, context) == 1, unsafe BN_is_zero(below) == 0,
        unsafe BN_mod_inverse(below, below, prime, context) != nil,
        unsafe BN_mod_add(above, BN_value_one(), y, prime, context) == 1,
        unsafe BN_mod_mul(above, above, below, prime, context) == 1
    else { return nil }
    var point = [UInt8](repeating: 0, count: 32)
    guard unsafe BN_bn2lebinpad(above, &point, 32) == 32 else { return nil }
    return point
}
