;; It wants the sockets of WASI, of which none are lent.
;; is: refused
;; says: wasi:sockets/ip-name-lookup

(component
  (import "wasi:sockets/ip-name-lookup@0.2.0" (instance (export "resolve" (func))))
  (instance $p)
  (export "bitrouter:provider/provider@0.1.0" (instance $p)))
