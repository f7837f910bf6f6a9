# Calls a function for each host of the inventory: NAME, PUBLIC ADDRESS, PRIVATE ADDRESS, PORT...
each_host() {
    while read -r line <&3; do
        # shellcheck disable=SC2086
        case $line in '' | '#'*) ;; *) "$1" $line ;; esac
    done 3<inventory
}
