from extcp_manifests.cli import main

main()
