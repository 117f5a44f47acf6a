"""The commands of `lab route`: where health checks send users, one file each."""
