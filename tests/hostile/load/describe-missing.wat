;; The interface is there, and what it is for is not.
;; is: refused
;; says: describe

(component (instance $p) (export "bitrouter:provider/provider@0.1.0" (instance $p)))
