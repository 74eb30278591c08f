"""The ground: records, seams, errors, files, plug-ins. Imports nothing above itself."""
