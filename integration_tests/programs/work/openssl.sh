# Known answers of what OpenSSL has written in assembly for each CPU; keys that are drawn are shown by verdicts alone.
# Debian's package has no FIPS module, whose self-test this stands for.
set -e
cat /usr/lib/python3.11/[a-d]*.py | head -c 700001 >data
check() { cmp data "$1" && echo "as before"; }
key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
iv=f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff

for digest in md5 sha1 sha224 sha256 sha384 sha512 sha512-256 sha3-224 sha3-256 sha3-512 shake128 shake256 \
  blake2b512 blake2s256 sm3; do
  openssl dgst -$digest data
done
# Hexadecimal digits of the key and of what the first block is chained to.
while read cipher of_key of_iv; do
  with="-K $(printf %.${of_key}s $key) ${of_iv:+-iv $(printf %.${of_iv:-0}s $iv)}"
  openssl enc -$cipher $with -in data -out encrypted
  echo "$cipher $(sha256sum <encrypted)"
  openssl enc -d -$cipher $with -in encrypted -out decrypted
  check decrypted
done <<'END'
aes-128-ecb 32
aes-192-cbc 48 32
aes-256-cfb 64 32
aes-256-ctr 64 32
aria-256-cbc 64 32
camellia-256-cbc 64 32
chacha20 64 32
des-ede3-cbc 48 16
sm4-ctr 32 32
END
# Of modes with authentication the command line has the authentication.
openssl mac -cipher AES-256-GCM -macopt hexkey:$key -macopt hexiv:$(printf %.24s $iv) -in data GMAC
openssl mac -cipher AES-256-CBC -macopt hexkey:$key -in data CMAC
openssl mac -digest SHA512 -macopt hexkey:$key -in data HMAC
openssl mac -macopt hexkey:$key -in data Poly1305
openssl mac -macopt hexkey:$(printf %.32s $key) -in data SipHash
openssl mac -macopt hexkey:$key -macopt xof:0 -in data KMAC-256
openssl kdf -keylen 64 -kdfopt digest:SHA256 -kdfopt hexkey:$key -kdfopt salt:salt -kdfopt info:info HKDF
openssl kdf -keylen 32 -kdfopt digest:SHA512 -kdfopt pass:password -kdfopt salt:saltsalt -kdfopt iter:20000 PBKDF2
openssl kdf -keylen 64 -kdfopt pass:password -kdfopt salt:NaCl -kdfopt n:4096 -kdfopt r:8 -kdfopt p:1 SCRYPT

# Signatures made elsewhere.
printf 'known answer' >message
cat >rsa.pem <<'END'
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAswPie/cXRI0QoeHwioEH
c3E4ZC1Kv7O3dUR3CwC9oBcOHjo+hgLX79Eo1J6koWuj5tmj+yu2+T8mLzaLIget
DcciNWlx8e3Gp1E9Flxph8GkvtfM/yNNx4/8IuVr8rajqVPnidJYwQ/k1IpccgGU
iNgkfntKa3Kk5hvzK2QeYRJZprBzRn4RnhRfbaoDqcOxnbKtOkWHuDHBlwYW+F5g
kGF2NqYLJJb2NMd/l95Hsm2vuccbptLinjQos1Qrp+abEPzvTcc8H97qDcL0pIJ0
/gDQGbmYzCW+joAO697kXYe+DLA3i4vP+Me/bRLNstLPDEzWKMoSSMpdeYwjGvea
+wIDAQAB
-----END PUBLIC KEY-----
END
base64 -d >rsa.sig <<'END'
aG22WK0J/flGz0qEkKRJ//G8+nl0VjsKqOBhY0iEacbmMmaLKPVjQXWP1U5bbtCLE4kpP8L+EeyFnY/xhXKpFtj7tKdV0M0iNPxF
BIDFz65OJrmApfXPHBMWL+qldSImOKmaYJyhOrHIFyRP+qEln7GPguBxXS6TwoE1BrgUGJzfLryp/NSXb4DTgb8IGWNulimquXmK
wBE7bUwb6sIlGqjP1cHVZMSZG9NbL/QewOFuPQy/CWlmM6vGAxzBPEyyh2XuKYX0MrETiKwpK37UnbI3PDjNFMKd8Oo5GJi3RC9p
cv6YYAiBY225bEJ8fMyHSMkbmhxQlTmWZ7q9iAPDCg==
END
cat >p256.pem <<'END'
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvGs7Tpba2HTfOueBNCofP1/Xre1f
t+k9kr4vEPqx2gSFfghHTMOVDjt5yvuZh4zmGSzEBCKQ3eFiGq8VIg4gCQ==
-----END PUBLIC KEY-----
END
echo MEYCIQCfocF/kcRFqBOsislNSkm/8p/sxn3KsTfJSKz5y7GMhQIhANHBWkdaVTtt9wYGVD2XVETtEiecn4i63P+F65zF7r6r |
  base64 -d >p256.sig
for one in rsa p256; do
  openssl dgst -sha256 -verify $one.pem -signature $one.sig message
  openssl dgst -sha256 -verify $one.pem -signature $one.sig data 2>/dev/null || echo "refused, as it should be"
done

# Curves whose signatures and secrets are determined by the key; the keys here are bytes in a row (RFC 8410).
raw() { (printf "$1"; i=0; while [ $i -lt $2 ]; do printf "\\x$(printf %02x $((i * 7 % 256)))"; i=$((i + 1)); done) >der; }
raw '\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20' 32
openssl pkey -inform DER -in der -out ed25519.key -text
raw '\x30\x47\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x71\x04\x3b\x04\x39' 57
openssl pkey -inform DER -in der -out ed448.key
for one in ed25519 ed448; do
  openssl pkeyutl -sign -rawin -inkey $one.key -in data -out $one.sig
  echo "$one $(base64 $one.sig)"
  openssl pkeyutl -verify -rawin -inkey $one.key -in data -sigfile $one.sig
done
raw '\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x6e\x04\x22\x04\x20' 32
openssl pkey -inform DER -in der -out x25519.key
openssl pkey -in x25519.key -pubout -out x25519.pub
openssl pkeyutl -derive -inkey x25519.key -peerkey x25519.pub | base64

openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key
for curve in prime256v1 secp384r1 brainpoolP256r1; do
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$curve -out $curve.key
done
for one in rsa prime256v1 secp384r1 brainpoolP256r1; do
  openssl pkey -check -noout -in $one.key
  openssl dgst -sha512 -sign $one.key -out drawn.sig data
  openssl pkey -in $one.key -pubout -out drawn.pem
  openssl dgst -sha512 -verify drawn.pem -signature drawn.sig data
done
head -c 32 data >secret
openssl pkeyutl -encrypt -inkey rsa.key -pkeyopt rsa_padding_mode:oaep -in secret |
  openssl pkeyutl -decrypt -inkey rsa.key -pkeyopt rsa_padding_mode:oaep
openssl prime $(openssl prime -generate -bits 512) | grep -o "is prime"
openssl prime -hex 1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF
